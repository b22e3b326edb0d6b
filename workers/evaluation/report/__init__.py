"""The evaluation as one HTML page: figures, plots and a gallery of what went wrong."""
