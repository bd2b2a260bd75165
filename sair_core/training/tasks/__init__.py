"""The training tasks, one module each.

A task module holds one class that satisfies `sair_core.training.task.Task` and is made with
`(config, backend, resume)`; `sair_core.training.loop.train(TaskClass, config)` runs it. The module imports
torch, so a command line names the class by its dotted path and imports it only to train.
"""
