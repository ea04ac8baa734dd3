"""Train a linear classifier on scikit-learn's digits; what it is given are the sweep's hyperparameters."""

import argparse

import numpy as np
from azureml.core import Run
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, default=0.001)
parser.add_argument("--alpha", type=float, default=0.0001)
parser.add_argument("--penalty", default="l2")
args = parser.parse_args()

run = Run.get_context()
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
model = SGDClassifier(
    loss="log_loss", learning_rate="constant", eta0=args.rate, alpha=args.alpha, penalty=args.penalty, random_state=0
)
for _ in range(12):
    model.partial_fit(X_train, y_train, classes=np.unique(y))
    run.log("accuracy", model.score(X_test, y_test))
