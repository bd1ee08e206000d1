"""Beyond one machine, on Ray Serve: the application as ingress, the models as a second deployment.

Replicas of the application decode and compute spectrograms. Replicas of `scorer` run the models.
Nothing else in the service depends on Ray.
"""
