"""The parts that the trainings of generators and detectors share.

run_folder       the folder of a run: configuration, environment, metrics
model_description
                 the description inside a weights file, as a checked record
trained_model    the result of a training, as functions return it
checkpoints      files of weights and checkpoints: never left half written, and checked when they are read
described_weights
                 the tensors and the description of a weights file, read together
stage_choice     which of the detectors of a project is used: a record in the project
data_key         a text of hashes that identifies the training data of a run
optimiser_state  checks of an optimiser's state in a checkpoint
initial_weights  the trained weights that a new run starts from
runtime          device, precision and processes of a training
distributed      agreement between the processes of one training
processes        communication between the processes that torchrun started, and their common end
seeds            seeds derived from the seed of a run
cuda_graphs      a training step that is recorded once and replayed, on a GPU
averaging        the running average of the weights
pretrained       which settings of a project name pretrained weights
prefetch         batches prepared in advance by threads
progress_note    the progress of a project as a file, for other processes
budget           how long a training lasts, in steps and minutes
job              the inputs and limits that every training is given
interrupts       Ctrl-C and termination, which take effect after the current step
machine          memory and disk of this machine
forecast         sentences about the time, memory and disk that a training needs, and about whether it is long enough
loop             the training loop: budgets, metrics, checkpoints, stopping and continuing
price            measures some training steps, to forecast the time, memory and disk before a training begins
"""
