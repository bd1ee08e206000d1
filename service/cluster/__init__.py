"""Beyond one machine, on Ray Serve: the application in front, the models as replicas behind it.

The application decodes and computes spectrograms, as many times over as there is need for; what
it asks a model goes to one of the replicas of `scorer`. Nothing else of the service knows Ray.
"""
