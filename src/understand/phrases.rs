//! The words of labels: synonyms from the usual record systems' printouts (Epic, Meditech, Cerner), from payers' request
//! forms and from utilization review notes. Data only; [`super::labels`] finds them on a page.

use super::labels::Label;

/// Label phrases, parted by `|`, in words as [`super::layout::fold`] leaves them. A trailing `:` asks for a colon or number
/// sign on the page, because the words alone are too common (or are a misreading, as `poe:` for `dob`).
pub(super) const PHRASES: &[(Label, &str)] = &[
    (
        Label::PatientName,
        "patient name|patients name|name of patient|infant name|infants name|name of infant|baby name|babys name|\
         newborn name|newborns name|member name|members name|child name|childs name|patient|pt name|pt|infant:|\
         baby:|newborn:|member:|neonate:|name:|nicu patient|neonate name|enrollee name|beneficiary name|\
         patient full name|pat name",
    ),
    (Label::Regarding, "re:|regarding:|in re:|ref:"),
    (
        Label::BirthDate,
        "date of birth|birth date|birthdate|dob|d o b|patient dob|infant dob|baby dob|born:|born on|date birth|\
         member dob|infants date of birth|birth date time|dob time|00b:|oob:|doe:|poe:|pos:|pob:|d0b:|do8:|doh:|\
         ooe:|bob:|b date:|bd:",
    ),
    (Label::Sex, "sex|gender|sex at birth|legal sex|birth sex"),
    (
        Label::RecordNumber,
        "mrn|mr:|mr no|mr number|medical record number|medical record no|medical record|med rec no|\
         med rec number|med rec|medical rec no|unit:|unit number|unit no|hospital record number|hospital number|\
         chart:|chart number|chart no|record number|patient mrn|infant mrn|baby mrn|medrec|rn:|mri:|mre:|mrh:|\
         hosp mrn|hospital record|record:|mr|record no|facility mrn|mrn number|hospital mrn",
    ),
    (
        Label::MemberId,
        "member id|subscriber member id|member id number|member number|member no|member identification|member identification number|\
         insurance id|ins id|insurance id number|insurance number|insurance no|ins no|ins:|subscriber id|\
         subscriber number|subscriber no|subscriber id number|policy number|policy no|policy:|policy id|\
         id number|health plan id|plan id|medicaid id|cardholder id|enrollee id|id:|member:|contract number|\
         insured id|insureds id|payer id number|bcbs id|hic number|certificate number|mbr id|mem id",
    ),
    (
        Label::AuthNumber,
        "authorization number|authorization no|authorization:|authorization|auth number|auth no|auth:|auth cert|\
         auth cert number|auth cert no|authorization cert number|auth ref|auth reference|cert:|cert number|\
         cert no|certification number|certification no|certification:|precert number|precert:|pre cert number|\
         precertification number|reference number|reference no|reference:|reference auth|reference auth number|\
         ref auth|ref number|ref no|ref:|initial auth number|existing auth number|client authorization number|\
         prior auth number|prior authorization number|inpatient auth number|current auth|auth id|tracking number|\
         auth tracking number",
    ),
    (
        Label::CaseId,
        "case id|case number|case no|case:|payer case|payer case number|payer case no|um case|um case number|\
         um case id|progeny case|progeny case id|progenyhealth case|progenyhealth case id|cm case|cm case number|\
         nicu case id|nicu case|case reference|case file",
    ),
    (
        Label::Facility,
        "facility|facility name|hospital|hospital name|hosp|facility hospital|hospital facility|\
         servicing facility|requesting facility|rendering facility|treating facility|admitting facility|\
         name of facility|name of hospital|birth hospital|birthing facility|provider facility|nicu facility|\
         current facility|facility provider|servicing provider facility",
    ),
    (
        Label::MotherName,
        "mothers name|mother name|mother|mom|mob|moms name|name of mother|maternal name|birth mother|\
         mother of baby|mother of infant|subscriber mother|mother subscriber|parent:|parent guardian|guarantor mother|\
         mothers full name|parents name|mother parent|mob name|birth parent|birthing parent",
    ),
    (
        Label::AdmitDate,
        "admit date|admission date|date of admission|date admitted|nicu admit date|nicu admission date|\
         nicu admit|date of nicu admission|admitted|admit:|adm|adm date|admit dt|adm dt|doa:|date of nicu admit|\
         inpatient admission date|admission date time|admit date time|admitted on|admitted to nicu|nicu adm date|\
         date admit",
    ),
    (
        Label::DischargeDate,
        "discharge date|date of discharge|dc date|d c date|date discharged|disch date|dsch date|discharged|\
         discharged on|date of d c|dis date|actual discharge date|d c d|discharge date time|dc d|\
         nicu discharge date|discharge dt",
    ),
    (
        Label::ExpectedDischargeDate,
        "expected discharge date|anticipated discharge date|estimated discharge date|expected date of discharge|\
         estimated date of discharge|anticipated date of discharge|expected discharge|anticipated discharge|edd|\
         projected discharge date|target discharge date|est discharge date|anticipated dc date|\
         anticipated d c date|edod|anticipated d c|anticipated dc|expected d c",
    ),
    (
        Label::TransferDate,
        "transfer date|date of transfer|transferred on|date transferred|transport date|date of transport|\
         transfer date time",
    ),
    (
        Label::ReadmitDate,
        "readmission date|readmit date|date of readmission|readmitted|readmitted on|re admission date|\
         date readmitted|re admit date|readmit:|date of re admission",
    ),
    (
        Label::NextReviewDate,
        "next review|next review date|next review due|next update|next clinical review|next clinical due|\
         next clinical|next clinical update|next update due|date of next review|next nicu review|next review on|\
         nrd|next rvw|next concurrent review|next clinicals due|clinical due|review due|next rev|\
         next update date|next scheduled review|next clinical review date",
    ),
    (
        Label::ReceivingFacility,
        "receiving facility|receiving hospital|accepting facility|accepting hospital|transfer to|transferred to|\
         transferring to|destination facility|destination|facility transferred to|receiving nicu|accepting nicu|\
         to facility|transfer destination|receiving institution|name of receiving facility",
    ),
    (
        Label::TransferringFacility,
        "transferring from|transferring facility|transferring hospital|referring facility|referring hospital|\
         sending facility|sending hospital|transfer from|transferred from|from facility|discharging facility|\
         originating facility",
    ),
    (
        Label::Weight,
        "current weight|current wt|weight today|wt today|todays weight|todays wt|todays weight is|weight|wt|\
         current weight g|current weight grams|weight current|daily weight|most recent weight|last weight|\
         latest weight|cw:|curr wt|present weight|working weight|dosing weight|weight is|current weight is|\
         weight now|wt now|cwt|weight this review|todays wt is|weight at transfer|weight at review|\
         weight on review date|current weight kg|weight gm|weight g|weight kg|admission weight|admit weight",
    ),
    (
        Label::DischargeWeight,
        "discharge weight|discharge wt|dc weight|d c weight|d c wt|dc wt|weight at discharge|wt at discharge",
    ),
    (
        Label::BirthWeight,
        "birth weight|birth wt|bw|birthweight|b wt|b w:|bwt|birth weight g|weight at birth|birth weight grams|\
         bth wt|birth wgt",
    ),
    (
        Label::GestationalAge,
        "gestational age|gestational age at birth|ga|ega|gest age|gest|gestation|ga at birth|gest age at birth|\
         birth ga|birth gestational age|ega at birth|gestation at birth|weeks gestation|g a:|ca:|birth gest age|\
         gestational age birth|est gest age",
    ),
    (
        Label::BedType,
        "bed type|bed|type of bed|bed environment|thermal environment|thermoregulation|environment|bed status|\
         current bed type|incubator crib|isolette crib|temp support|thermal support|bed temp|\
         bed thermoregulation|temperature support|thermoregulation bed type|housed in|the infant is in|\
         infant is in|baby is in",
    ),
    (
        Label::RespiratorySupport,
        "respiratory support|resp support|respiratory status|resp status|oxygen support|o2 support|\
         current respiratory support|respiratory mode|vent mode|oxygen|o2|oxygen requirement|mode of ventilation|\
         ventilation|resp|respiratory support type|rs:|o2 device|oxygen device|oxygen therapy|resp support o2|\
         respiratory o2|oxygen vent|vent support|airway|current support|support:|breathing support|breathing",
    ),
    (Label::RespiratorySystem, "respiratory:|pulmonary:|pulm:|respiratory"),
    (
        Label::Nutrition,
        "fen|fen gi|feeds|feeding|feedings|nutrition|diet|feeds tpn|enteral feeds|fluids nutrition|fluids|\
         fluids electrolytes nutrition|nutrition fen|feeding type|feeding method|feeding plan|current feeds|\
         feeding route|nutrition feeding|fen route|intake|iv fluids nutrition|feeds iv fluids|feeding regimen|\
         gi nutrition|gi fen|nutrition fluids|feeds nutrition|diet feeds|enteral|fluids feeds|fluid nutrition|\
         feeding fluids|nutrition status|feeding status|fluids and nutrition",
    ),
    (
        Label::Medications,
        "medications|meds|current medications|current meds|medication|medication list|medications are|\
         scheduled meds|scheduled medications|active medications|meds iv|drugs|iv meds|medications and dosages|\
         active meds|rx:|medications current",
    ),
    (
        Label::DischargeNeeds,
        "social discharge needs|discharge needs|discharge planning|discharge plan|d c plan|dc plan|d c needs|\
         dc needs|d c planning|social dc needs|social d c needs|social|social discharge|social needs|\
         anticipated discharge needs|social work discharge|psychosocial|social work|family social|\
         barriers to discharge|discharge barriers|home needs|dispo|disposition plan|social discharge planning|\
         dc planning|discharge plans|discharge planning needs|social and discharge|discharge screens|dic needs|anticipated d c needs|social dc|social d c|\
         social family|parents social",
    ),
    (
        Label::LevelOfCare,
        "level of care|level of care requested|requested level of care|loc requested|loc|level:|nicu level|\
         level requested|requested level|requested loc|rev code|revenue code|level of care request|\
         current level of care|nicu level of care|bed level|acuity level|loc request|subset",
    ),
    (
        Label::PlanName,
        "health plan|coverage|insurance|payer|payor|insurance plan|plan:|line of business|primary insurance|\
         insurance company|insurance name",
    ),
    (
        Label::Ignored,
        "mothers dob|mother dob|mothers date of birth|moms dob|maternal dob|mob dob|mothers mrn|mother mrn|\
         mob mrn|maternal mrn|fathers name|father|fob|mothers age|maternal age|subscriber dob|subscriber name|\
         subscriber|guarantor|policy holder|policyholder|facility npi|npi|tax id|tin|phone|telephone|tel|fax|\
         return fax|contact:|ur contact|um contact|contact name|contact person|attending|attending neonatologist|\
         attend dr|attending dr|attending physician|attending md|provider|physician|ordering physician|\
         ordering provider|requesting provider|neonatologist|referring provider|primary care|pcp|pediatrician|\
         accepting physician|accepting md|receiving facility phone|mode of transport|dol|day of life|pma|cga|\
         corrected ga|corrected gestational age|adjusted age|pca|postmenstrual age|age:|current ga|apgar|apgars|\
         corrected age|chronological age|birth order|multiple birth|twin|encounter date|date of service|dos|\
         service date|run date|run time|review date|date of review|date of request|request date|hospital course|\
         hospital course by system|hospital day|hospital stay|page:|pages:|date|from:|to:|time:|room:|bed number|\
         room bed|location:|unit name|nurse unit|account number|acct:|acct number|acct no|account:|csn|har|\
         visit number|encounter number|diagnosis|dx|diagnoses|icd 10|icd|admitting diagnosis|primary diagnosis|\
         days requested|days since discharge|length of stay|los|last covered day|last covered date|lcd|\
         previous discharge date|prior discharge date|previous discharge|prior discharge|\
         date of previous discharge|original discharge date|last discharge date|index discharge date|\
         initial discharge date|date of last discharge|first discharge date|previous admission date|\
         original admission date|prior admission date|disposition|discharge disposition|condition at discharge|\
         admission type|delivery:|delivery type|mode of delivery|request type|priority|review type|product|unit:|\
         completed by|prepared by|reviewer|reviewer name|ur nurse|case manager|signature|address|street|city|\
         group number|group no|group:|race|ethnicity|language|status:|blood type|hr|rr|bp|spo2|temp|temperature|\
         head circumference|hc|length|vitals|abd events|a b d events|a b d|abds|as bs ds|events:|apnea|access:|\
         lines:|labs|iv access|procedures:|notes:|comments|comment|subject|attn|cc|cpt hcpcs|cpt|hcpcs|quantity|\
         service item|reason for transfer|reason for admission|reason:|cardiovascular|cv|id infectious|neuro|\
         neurology|heme|hematology bilirubin|infectious disease|ophthalmology|plan:|assessment:|\
         hepatitis b vaccine|weight change|weight gain|weight loss|weight trend|weight for|prior weight|\
         previous weight|last review weight|yesterdays weight|weight yesterday|weight at last review|\
         weight bearing|feeding problem|respiratory rate|resp rate|bed availability|discharge medications|\
         discharge diagnosis|discharge screening|discharge instructions|discharge information|\
         medication administration record",
    ),
];
