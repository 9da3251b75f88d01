"""Training, export and evaluation of the score-map defect models."""
