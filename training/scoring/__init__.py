"""Every figure: classification, speech to text, calibration, cross-validation, reports and plots."""
