"""What every training uses, whatever it trains.

run_folder       the folder of a run: configuration, environment, metrics
model_description
                 what a weights file says of its model, as a checked record
checkpoints      weights and checkpoints, written whole and read back safely
data_key         what a run is trained on, as one text of hashes
optimiser_state  checks of an optimiser's state in a checkpoint
initial_weights  the trained weights that a new run starts from
runtime          device, precision and processes, decided once
distributed      what the processes of one training agree on
peers            the processes that torchrun started, and how they end together
seeds            seeds derived from the seed of a run
averaging        the running average of the weights
prefetch         batches prepared ahead by threads
progress_note    how far a project is, for those who watch it from another process
interrupts       Ctrl-C and termination, after the step at hand
machine          memory and disk of this machine
forecast         what a training will do and need here, and the numbers that say how much is enough
loop             the training loop: budgets, metrics, checkpoints, stopping and continuing
price            the same before a training begins, measured with steps that are thrown away
"""
