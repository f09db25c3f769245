"""The one long-running process of this program: it measures the platform and tells whoever asks.

Everything is measured on its own interval, beside each other and each within its own time, and kept in memory; whoever
asks gets the newest figures at once, and nothing is measured for the asking. What could not be measured is not there,
and counted: there is no figure that stays when its source has gone.
"""
