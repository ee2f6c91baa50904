"""Do forecasts of the error with more labels come true?"""
