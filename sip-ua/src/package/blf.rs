//! What the lamp of a watched extension shows: the states of its dialogs, of several sources, as one.
