"""Discover keypoints without training: clusters of pretrained features that are matched across images.

The method follows the zero-shot baseline of Tourani et al. (CVPR 2024): clusters of dense features, and nearest neighbours in
each image. kpdetect uses an ImageNet classifier instead of a diffusion model, keeps only mutual nearest neighbours, and trains
an ordinary detector on the result.

config            the settings
dense_features    features of a pretrained network on a grid, whitened, and the separation of object and background
matching          mutual nearest neighbours, and positions between the cells
object_masks      where the object is in some of the images
selection         the choice of clusters that become keypoints
headings          turn images so that objects with all directions have the same heading
keyed_arrays      files of arrays with a key
clusters          fit the clusters on a sample, store them, and find them in images
matcher           headings and clusters together; `kpdetect.project.correspondence` uses it
"""
