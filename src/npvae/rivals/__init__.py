"""Other models of images that the paper's is related to, trained on the same images and measured alike."""
