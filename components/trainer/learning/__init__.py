"""Training of the n-gram model: counts, naive Bayes ratios, SVM and calibration."""
