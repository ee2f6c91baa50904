"""Judgement: do the unlabeled rows help here, how sure is each answer, which rows to label next."""
