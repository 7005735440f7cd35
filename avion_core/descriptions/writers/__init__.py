"""Writers of class descriptions: Gemini, any OpenAI-compatible server, or a file (docs/method.md section 1).

prompt.py says what is asked, reply.py reads what comes back, patience.py paces and repeats, generate.py goes through
the classes. Nothing here knows a database or an environment variable: keys come in as arguments.
"""
