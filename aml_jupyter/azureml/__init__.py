"""Serve SDK v1's import names (``azureml.core``, ``azureml.widgets``, ...) as thin re-exports of `aml_jupyter.sdk`.

Owns the names and the finder that serves them; holds no logic. ``site/aml_jupyter_azureml.pth`` is installed at the top of
site-packages, also by an editable install. At the start of the interpreter its one line puts a hook at the end of
`sys.meta_path`, or at the front where ``AML_AZUREML=self`` is set; it imports nothing until ``azureml`` is asked for, does
nothing inside a run (``AML_RUN_ID``; the run's own finder serves there), and is silent where aml-jupyter was removed
without it. There is no folder named ``azureml`` on any path.
"""
