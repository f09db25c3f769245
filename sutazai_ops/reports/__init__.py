"""What every report looks like: the head, the first screen, charts over time, lanes of events, tables, the foot.

Shared by whoever reports (objectives, and later incidents, drills, capacity and cost). An area says *what* as a value
of its own and keeps a template beside it, which begins with `{% extends "reports/report.html.jinja" %}`; here is *how*:
one file of HTML that needs no network and no script, is read on a phone, on paper, in the dark and by ear, and is the
same bytes for the same value. Nothing here computes a figure; it turns figures into places and words.
"""
