"""Training of the generator.

augmentation   changes to the images that the discriminator sees, for small data sets
batches        real images for training
discriminator  real or generated, from pixels
features       real or generated, from feature maps of a trained network
losses         one function per term of the paper
adversary      both discriminators and their updates
optimisers     learning rates by part of the network and by stage
batch_norm     batch-norm statistics of the averaged weights
collapse       detection of collapsed runs
stopping       early stopping
train          the training loop
trial          the price of a training, before it begins
"""
