"""What scripts/figures.py and scripts/report.py draw with: rows.py reads the files, style.py has
colours and the checks of labels, sweep.py, thesis.py and layers.py draw, tables.py writes tables."""
