"""What a photo shows, told by a classifier that knows the 1000 classes of ImageNet.

`network` is the classifier, `names` what its classes are called in words.
"""
