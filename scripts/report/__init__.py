"""What scripts/report.py makes its page of: page.py the HTML, page.css and page.js beside it,
findings.py the thesis's findings checked on rows."""
