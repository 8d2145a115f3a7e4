"""The report of a data set: one HTML file that opens from disk, with charts and a model that runs in the browser.

Takes tables, figures and what the stage `recommend` picked of each variant; gives the page as one string. `compose` puts it together,
`charts` and `plots` draw, `browser_model` folds a model so small that the page computes it, `page` is the HTML.
"""
