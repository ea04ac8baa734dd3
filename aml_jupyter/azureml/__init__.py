"""Serve SDK v1's import names (``azureml.core``, ``azureml.widgets``, ...) as thin re-exports of `aml_jupyter.sdk`.

Owns the names and the finder that serves them; holds no logic. The finder is put in place by ``site/``, whose two files the
wheel installs at the top of site-packages. There is no folder named ``azureml`` on any path.
"""
