"""The playground: a run served to a browser on the same machine, for `seqgen serve`.

`server` listens, `guard` refuses strangers, `app` answers, `playground` holds the model and the
pieces, each of which `session` writes in a thread of its own.
"""
