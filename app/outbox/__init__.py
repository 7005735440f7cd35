"""What the browser has decided and the server has not yet taken: the queue, verdicts, labels."""
