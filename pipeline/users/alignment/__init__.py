"""Alignment: a term of the loss that draws the vectors that an item's modalities have towards each other.

Fusion makes one vector of an item's modalities: a joint representation. What is here coordinates them (Baltrusaitis et al. 2019): in the
space that they are projected into, an item's text shall be near its image, its place in the graph and its own vector, so that one can stand
in for another that an item lacks. Three forms of the literature:

    pairs      InfoNCE between each two modalities, against the other items of the step (CLIP, Radford et al. 2021)
    queue      against the keys of earlier steps too, of weights that follow slowly (WenLan, Huo et al. 2021)
    codebook   each predicts to which of the prototypes that all share another one is assigned (Duan et al. 2022)

The loss is the mean over the pairs of modalities. A pair is about the items that have both of them. To add a form: its module, its name in
`users.names` and its class in `registry`.
"""
