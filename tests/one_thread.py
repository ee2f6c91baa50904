"""One thread for OpenMP in this process and its children, where it is imported before what loads OpenMP.

Libraries read the variable when they load. Where fewer processors are free than there are threads, these spin
while they wait for each other: twenty small boosted ensembles took 40 s in place of 0.3.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
