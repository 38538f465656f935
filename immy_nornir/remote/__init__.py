"""The wire: operations and jobs go in, answers come out, and every foreign error as one of ours.

`connect` is the door; sessions get a Reader and an Executor and know no transport.
"""
