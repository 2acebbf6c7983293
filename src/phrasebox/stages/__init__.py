"""The stages of a workspace, one module a command: each adds what is missing and can be stopped and resumed."""
