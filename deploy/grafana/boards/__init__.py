"""The tables of panels, one module for each dashboard."""
