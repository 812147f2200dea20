"""The parts that every training uses, whatever network it trains.

run_folder       the folder of a run: configuration, environment, metrics
model_description
                 the description inside a weights file, as a checked record
trained_model    the result of a training, as functions return it
checkpoints      weights and checkpoints, written whole and read back safely
described_weights
                 the tensors of a weights file with its description as a record
data_key         the training data of a run, as a text of hashes
optimiser_state  checks of an optimiser's state in a checkpoint
initial_weights  the trained weights that a new run starts from
runtime          device, precision and processes, chosen once
distributed      agreement between the processes of one training
peers            the processes that torchrun started, and how they end together
seeds            seeds derived from the seed of a run
cuda_graphs      a step recorded once and replayed, on a GPU
averaging        the running average of the weights
prefetch         batches prepared in advance by threads
progress_note    the progress of a project as a file, for other processes
interrupts       Ctrl-C and termination, after the current step
machine          memory and disk of this machine
forecast         the expected course and needs of a training, and the numbers of images that suffice
loop             the training loop: budgets, metrics, checkpoints, stopping and continuing
price            the forecast before a training begins, measured with trial steps
"""
