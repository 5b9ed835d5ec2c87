"""The words of an address: kinds of ways, parts of buildings, quarters, points of the compass, places."""


def _table(lines: str) -> dict[str, tuple[str, str]]:
    """`CODE Readable: spelling spelling ...` a line; each spelling tells its code and its readable word."""
    found: dict[str, tuple[str, str]] = {}
    for line in lines.strip().splitlines():
        head, _, spellings = line.partition(":")
        code, _, readable = head.strip().partition(" ")
        found.update(dict.fromkeys(spellings.split(), (code, readable)))
    return found


# Codes of the Colombian cadastre where it has one. CR is a carrera in Colombia and a carretera in Spain.
WAYS = _table("""
    CL Calle: calle cl cll clle cle call cal c calles clla cale kalle caye clls ca
    KR Carrera: carrera cra cr kr kra k krr crr crra carr car carrra karrera karera cara kara krra crera carera crrera carrea
    AV Avenida: avenida av ave avd avda aven avenid avd avnida avendia avn abenida
    AC Avenida Calle: ac avcl avcalle avcll
    AK Avenida Carrera: ak avkr avcra avcarrera avk
    DG Diagonal: diagonal dg diag diagon dgn dig diagnal diagonl dgl d
    TV Transversal: transversal tv trans transv tranv trv tvl trasv trasversal tranversal tsv tr transver trvs tvs trsv transvr trns tran tra transvers trasnversal trval trvsal t
    AU Autopista: autopista au aut auto autop autp autopis autopist
    CQ Circular: circular cir circ cq circl
    CV Circunvalar: circunvalar circunvalacion cv ccv crv cvlar circunv circunval cvl crcv ccvcn
    VI Vía: via
    CT Carretera: carretera ctra crt crtra carret carretra
    VT Variante: variante vte vrte
    TC Troncal: troncal tron tronc trocal
    PJ Pasaje: pasaje pj pje psj psje psaje
    PS Paseo: paseo ps pso pseo
    BV Bulevar: bulevar boulevard bulev blvd blv blvr boulevar blev
    CJ Callejón: callejon clj cjon callej calleja cllja
    CM Camino: camino cno cmno cmo
    GT Glorieta: glorieta gta glor
    PT Peatonal: peatonal peat sendero
    AN Anillo vial: anillo
""")
AVENUES_OF = {"CL": ("AC", "Avenida Calle"), "KR": ("AK", "Avenida Carrera")}
SHORT_WAYS = frozenset({"c", "k", "d", "t", "tr", "ca"})  # they may stand for something else
FULL_WAYS = (
    "calle", "carrera", "avenida", "diagonal", "transversal", "autopista", "circular", "circunvalar", "carretera",
)  # fmt: skip
NO_WAYS = frozenset({"valle", "carretas", "callao", "vallas"})  # not misspelt ways
OPPOSITE = {"CL": ("KR", "Carrera"), "KR": ("CL", "Calle")}

# A quadrant belongs to the way that it can tell apart: south and north to those that run east, east and west to the others.
RUNS_EAST, RUNS_NORTH = frozenset({"CL", "DG", "AC"}), frozenset({"KR", "TV", "AK"})

_QUADRANTS = {
    "SUR": "sur sr",
    "NORTE": "norte nte nor",
    "ESTE": "este oriente ote ori est orient",
    "OESTE": "oeste oe occidente occ occid oest poniente pte",
}
QUADRANTS = {word: code for code, words in _QUADRANTS.items() for word in words.split()}
QUADRANT_LETTERS = {"s": "SUR", "n": "NORTE", "e": "ESTE", "o": "OESTE", "w": "OESTE"}
ATTACHED_LETTERS = frozenset({"s", "e"})  # written to the number they are letters of ways: 78E, beside 78F
ALONG = {"SUR": RUNS_EAST, "NORTE": RUNS_EAST, "ESTE": RUNS_NORTH, "OESTE": RUNS_NORTH}

NUMBER_SIGNS = frozenset({"no", "nro", "num", "numero", "nr", "nmro", "numro", "numer", "nums", "nos", "nume"})
NUMBER_WORDS = {
    word: str(number)
    for number, words in enumerate(
        (
            "primera primero uno una", "segunda segundo dos", "tercera tercero tres tercer", "cuarta cuarto cuatro",
            "quinta quinto cinco", "sexta sexto seis", "septima septimo siete setima", "octava octavo ocho",
            "novena noveno nueve", "decima decimo diez", "once undecima", "doce duodecima", "trece", "catorce", "quince",
            "dieciseis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno", "veintidos", "veintitres",
            "veinticuatro", "veinticinco", "veintiseis", "veintisiete", "veintiocho", "veintinueve",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa cien"
NUMBER_WORDS |= {word: str(tens * 10) for tens, word in enumerate(_TENS.split(), start=3)}
ORDINAL_ENDINGS = frozenset({"er", "ero", "era", "ro", "ra", "do", "da", "to", "ta", "mo", "ma", "vo", "va", "na"})
CORNERS = frozenset({"con", "x", "esquina", "esq", "cruce"})
MEETS = CORNERS | {"por", "y", "entre"}

# Parts of a building, from the large to the small: in this order they are told.
UNITS = _table("""
    ET Etapa: etapa et etp
    SM Supermanzana: supermanzana sm smz smza
    MZ Manzana: manzana mz mza mzn manz mzna mnz mza
    LT Lote: lote lt lte lot
    BL Bloque: bloque bl blq bloq bq bque blo blque block
    TO Torre: torre to tr tor trr torr tore tow
    IN Interior: interior int in inte inter
    EN Entrada: entrada ent ingreso
    CA Casa: casa ca cs cas csa
    BG Bodega: bodega bg bod bd bdg bodg
    MD Módulo: modulo md mod
    NV Nivel: nivel nv niv
    ST Sótano: sotano st
    SS Semisótano: semisotano ss
    MN Mezzanine: mezzanine mezanine mn mezz
    PI Piso: piso pi p ps pis pso planta
    UN Unidad: unidad un und
    LC Local: local lc loc l lo locl locales
    CS Consultorio: consultorio cons consult cst consul
    OF Oficina: oficina of ofi ofc ofic oficinas ofna
    AP Apartamento: apartamento apto ap apt aparta apart apartam apartamneto apartaestudio aptos apartamentos aparto apmto aptp apatamento dpto depto departamento dep
    HB Habitación: habitacion hab
    PH Penthouse: penthouse ph pent
    AL Altillo: altillo
    TZ Terraza: terraza terr
    PU Puesto: puesto pto stand
    GJ Garaje: garaje gj gar garage
    PQ Parqueadero: parqueadero parq pq
    DP Depósito: deposito dp deps
    KI Kiosco: kiosco quiosco
    PO Portería: porteria port
    PA Puerta: puerta pta prta
    ES Escalera: escalera esc
    SA Suite: suite
""")
UNIT_LETTERS = {"t": "torre", "p": "piso", "l": "local", "b": "bloque", "c": "casa", "i": "interior", "a": "apto"}
UNIT_ORDER = {code: place for place, (code, _) in enumerate(dict.fromkeys(UNITS.values()))}
TWO_UNITS = frozenset({"lo"})  # a local in the trade, a lote in the cadastre
ALONE = frozenset({"PH", "ST", "SS", "MN", "AL", "TZ", "PO"})  # they need no number
FLOOR = frozenset({"piso", "planta", "nivel"})

# Quarters, housing estates, buildings and hamlets: a name follows.
AREAS = _table("""
    ED Edificio: edificio ed edif edf edifc
    CC Centro comercial: cc ceco ccial
    CE Centro empresarial: cempresarial
    UR Unidad residencial: ur unires
    CJ Conjunto: conjunto conj cj cnjto cjto conjto
    CR Condominio: condominio condom
    AG Agrupación: agrupacion agrup
    MU Multifamiliar: multifamiliar multifamiliares
    UB Urbanización: urbanizacion urb urbaniz
    CD Ciudadela: ciudadela cdla
    BR Barrio: barrio br brr bo bario barr brio
    SC Sector: sector sec sect
    ZN Zona: zona zn
    LO Localidad: localidad
    CO Comuna: comuna
    CG Corregimiento: corregimiento correg corr cgto
    VD Vereda: vereda vda vrd ver vrda vreda
    HC Hacienda: hacienda hda
    FC Finca: finca fca fnca
    PQ Parque: parque
    PR Parcelación: parcelacion parcel
    PL Parcela: parcela
    CL Colonia: colonia col
    FR Fraccionamiento: fraccionamiento fracc
""")
AREA_ORDER = {code: place for place, (code, _) in enumerate(dict.fromkeys(AREAS.values()))}
AREA_PAIRS = {
    ("centro", "comercial"): ("CC", "Centro comercial"),
    ("centro", "empresarial"): ("CE", "Centro empresarial"),
    ("unidad", "residencial"): ("UR", "Unidad residencial"),
    ("conjunto", "residencial"): ("CJ", "Conjunto"),
    ("conj", "residencial"): ("CJ", "Conjunto"),
    ("conj", "res"): ("CJ", "Conjunto"),
    ("conjunto", "cerrado"): ("CJ", "Conjunto"),
    ("zona", "industrial"): ("ZI", "Zona industrial"),
    ("zona", "franca"): ("ZF", "Zona franca"),
    ("zn", "franca"): ("ZF", "Zona franca"),
    ("parque", "industrial"): ("PI", "Parque industrial"),
}
COUNTRYSIDE = frozenset({"VD", "CG", "FC", "HC", "PR", "PL"})
KILOMETRES = frozenset({"km", "kms", "kilometro", "kilometros", "klm", "kilom", "kmt"})

PARTICLES = frozenset({"de", "del", "la", "las", "el", "los", "lo", "y", "e", "da", "do", "das", "dos", "the", "of"})

CITIES = frozenset(
    line.strip() for line in """
    bogota|bogota dc|bogota d c|santa fe de bogota|santafe de bogota|bogota colombia|medellin|cali|santiago de cali|barranquilla|cartagena
    cartagena de indias|cucuta|san jose de cucuta|bucaramanga|pereira|santa marta|ibague|manizales|villavicencio|pasto
    san juan de pasto|neiva|armenia|popayan|monteria|valledupar|sincelejo|riohacha|tunja|quibdo|florencia|yopal|arauca|leticia
    mocoa|mitu|inirida|puerto carreno|san andres isla|san jose del guaviare|soacha|soledad|bello|itagui|envigado|sabaneta|la estrella|caldas
    copacabana|girardota|barbosa|rionegro|marinilla|la ceja|el retiro|el carmen de viboral|guarne|apartado|turbo|caucasia|chia
    cajica|zipaquira|facatativa|mosquera|madrid|funza|fusagasuga|girardot|la calera|cota|tenjo|tabio|sopo|tocancipa|sibate
    melgar|ubate|villeta|la mesa|palmira|yumbo|jamundi|buenaventura|tulua|buga|guadalajara de buga|cartago|candelaria|florida
    pradera|zarzal|dosquebradas|santa rosa de cabal|la virginia|villamaria|chinchina|la dorada|calarca|montenegro|quimbaya
    floridablanca|giron|piedecuesta|barrancabermeja|san gil|socorro|malambo|sabanalarga|galapa|puerto colombia|baranoa
    turbaco|magangue|arjona|el carmen de bolivar|cienaga|fundacion|maicao|ipiales|tumaco|duitama|sogamoso|chiquinquira|paipa
    villa del rosario|los patios|ocana|pamplona|espinal|honda|mariquita|pitalito|garzon|la plata|acacias|granada|puerto lopez
    aguachica|lorica|cerete|sahagun|corozal|santander de quilichao|puerto tejada
    amazonas|antioquia|atlantico|bolivar|boyaca|caqueta|casanare|cauca|cesar|choco|cordoba|cundinamarca|guainia|guaviare
    huila|la guajira|guajira|magdalena|meta|narino|norte de santander|n de santander|putumayo|quindio|risaralda|san andres|santander|sucre
    tolima|valle|valle del cauca|vaupes|vichada|colombia|dc|d c
    """.replace("\n", "|").split("|")
    if line.strip()
)  # fmt: skip
LONGEST_CITY = max(city.count(" ") + 1 for city in CITIES)
AMBIGUOUS_CITIES = frozenset({"valle", "madrid", "florida", "granada", "caldas", "bolivar", "sucre", "cesar", "meta"})
REFERENCES = frozenset(
    {"frente", "contiguo", "cerca", "detras", "diagonal", "junto", "esquina", "esq", "pasando", "vecino"}
)

# Ways of other countries, beside those above where they mean the same.
_ABROAD = _table("""
    CL Calle: c cl
    PS Paseo: po
    PZ Plaza: plaza pl plz plza pza plazuela plazoleta plta
    RD Ronda: ronda rda
    RB Rambla: rambla rbla
    TR Travesía: travesia trva travessa trav
    UR Urbanización: urbanizacion urb
    RUA Rua: rua r
    ESTRADA Estrada: estrada estr
    RODOVIA Rodovia: rodovia rod
    AL Alameda: alameda al
    PRACA Praça: praca pca
    LARGO Largo: largo
    JR Jirón: jiron jr
    CZ Calzada: calzada calz czda
    PV Privada: privada priv cerrada
    PG Prolongación: prolongacion prol
    PF Periférico: periferico perif
    ML Malecón: malecon
""")
_IN_COLOMBIA_ALONE = frozenset({"cr", "k", "ca", "d", "t", "tr", "car"})
STREETS = {word: code for word, (code, _) in {**WAYS, **_ABROAD}.items() if word not in _IN_COLOMBIA_ALONE}
# What stands for another kind of street in one country alone.
STREETS_OF = {"CO": {"cr": "KR", "cl": "CL"}, "BR": {"tv": "TR"}, "PT": {"tv": "TR"}}
STREET_WORDS = dict((*WAYS.values(), *_ABROAD.values()))
_ENGLISH = _table("""
    ST Street: street st str
    ROAD Road: road rd
    AVE Avenue: avenue ave av
    PLACE Place: place pl
    CRES Crescent: crescent cres cr crst
    DRIVE Drive: drive dr drv
    CLOSE Close: close cl
    COURT Court: court ct crt
    CCT Circuit: circuit cct
    TCE Terrace: terrace tce ter
    PDE Parade: parade pde
    LANE Lane: lane ln
    HWY Highway: highway hwy
    BLVD Boulevard: boulevard blvd
    SQ Square: square sq
    GROVE Grove: grove gr
    PKWY Parkway: parkway pkwy
    WAY Way: way
""")
ENGLISH = {word: code for word, (code, _) in _ENGLISH.items()}
COMPASS = frozenset({"n", "s", "e", "w", "nw", "ne", "sw", "se", "north", "south", "east", "west"})
