"""A calibrated linear SVM on naive Bayes ratios of n-grams."""
