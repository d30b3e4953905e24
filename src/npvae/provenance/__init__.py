"""Are the committed artefacts those of this tree?"""
