"""Pages: catalog, comparison, documentation site.

`catalog` describes each dataset and draws the lineage in docs/data; `compare` shows two revisions side by side;
`site` makes a site of notebooks, documents and reports.
"""
