"""Do prediction sets cover what they promise, how large are they, and are probabilities calibrated?"""
