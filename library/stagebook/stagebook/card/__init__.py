"""Model card and data sheet.

`facts` collects what the reports say, `missing` names the parts that are empty, `write` makes the pages in
reports/card.
"""
