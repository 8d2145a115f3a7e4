"""The report of a data set: one HTML file that opens from disk, with charts and a model that runs in the browser.

Takes tables, figures and what the stage `recommend` picked of each variant; gives the page as one string. `compose` puts it together,
`charts` and `plots` draw, `browser_model` packs the item vectors by which the page scores what a reader likes, `page` is the HTML.
"""
