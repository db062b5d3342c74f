"""Doctor: checks the machine, the sources and the model, and says how to repair each fault."""
