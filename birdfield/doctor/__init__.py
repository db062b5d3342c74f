"""Doctor: checks of the machine, the sources and the model, each with what to do."""
