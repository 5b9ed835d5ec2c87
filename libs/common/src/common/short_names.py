"""Names by which people are called instead of their own: Pepe is José, Mafe is María Fernanda, Bob is Robert.

Diminutives of a whole name (Juanito, Carlitos, Anita) are left out: in a family they tell the child from the parent who bears
the same name. So are short forms that are names in their own right (Rosa, Marina, Freddy).
"""

from collections.abc import Mapping

# A name, folded and in one word, and what its bearers are called. One short form may stand for many names: Beto for all in -berto.
_SPANISH = """adalberto beto; adolfo fito; adriana adri; adrian adri; agustin agus; agustina agus; alejandra ale aleja alex;
    alberto beto; alejandro ale alejo alex jandro; alexander alex; alexandra alex; alexis alex; alfonso fonso poncho; alicia licha; alonso loncho;
    andrea andy; andres andy; angela angie; angelica angie; antonia tona toni; antonio tono toni tonio tony;
    armando mando nando; asuncion asun chon; augusto guto tuto; barbara barbi; bartolome bartolo tolo; beatriz bea bia betty;
    benjamin ben benja benji; berenice bere; bernardo berna nardo; camila cami; camilo cami; candelaria cande candela;
    carlos charlie charly; carloseduardo cadu; carmen carmina menchu mencha; carolina caro; catalina cata caty; cayetano tano;
    cecilia ceci; celestino tino; christian chris; clementina tina; claudia clau; concepcion concha conchita cony; constanza coni cony;
    constantino tino; consuelo chelo; cristian cris; cristina cris cristi tina; dagoberto beto; damian dami; daniel dani;
    daniela dani; delfina fina; dolores lola lolita loles; dorotea dora tea; edilberto beto; eduarda duda; eduardo dudu edu lalo;
    elizabeth betty eli liz; emilia emi mili; emiliano emi; emilio emi; encarnacion encarna; enrique kike quique; ernestina tina;
    ernesto neto; esperanza espe; estefania estefa stefi tefa; esteban teban; eugenia gena; eugenio geno; ezequiel eze;
    facundo facu; faustino tino; federica fede; federico fede fico; felipe feli pipe; fernanda fer nanda; fernando fer nando;
    filiberto beto; filomena filo; florencia flo; florentino tino; francisca fran kika paca paquita pancha;
    francisco chico curro fran kiko paco pacho pancho paquito; gabriel gabi gabo gaby; gabriela gabi gaby; genoveva veva;
    gerardo gera; geronimo jero; gilberto beto; gonzalo chalo gonza; graciela chela; gregorio goyo; guadalupe lupe lupita;
    guillermina guille mina; guillermo guille memo; gustavo gus tavo; heriberto beto; hernando nando; herminia mina;
    hortensia tencha; humberto beto; ignacia nacha; ignacio nacho; inmaculada inma macu; isabel chabela chavela isa;
    isabella bella isa; isidoro doro; ismael isma; israel isra; jacinto chinto; javier javi; jaime jimmy; jennifer jen jeni jenn;
    jeronimo jero; jessica jess jessi; jesus chucho chuy suso; jesusa chucha; jimena jime xime; joaquim quim; joaquin chimo joaco quino;
    jonathan jona jony; jose chepe pepe pepito zeca; joseantonio josean; josefa pepa chepa; josefina fina pepa; joseluis joselu;
    josemanuel josema; josemaria chema josema; juancarlos juanca juanka; juandavid juanda; juanfelipe juanfe; juanfernando juanfer;
    juanjose juanjo; juanmanuel juanma; juanmiguel juanmi; juanpablo juanpa; juansebastian juanse; julia juli; julian juli;
    juliana juli; katherine kate kathe kathy; laurentino tino; leonardo leo; leonel leo; leticia leti lety; liliana lili lily;
    lorena lore; lorenzo lencho; lourdes lulu; luciana luci; lucia luci; luis lucho; luisfelipe luisfe; luisfernando luifer luisfer;
    luismiguel luismi; macarena maca; magdalena malena; manuel manolo manu; manuela manoli manu; marcela chela marce;
    marcelo chelo marce; margarita marga margo; maria mari mary; mariaalejandra maleja; mariacamila maca mariaca; mariaclara maricla;
    mariacarmen mamen maricarmen; mariadolores lola marilola; mariaelena marilena; mariaeugenia maru; mariafernanda mafe mafer marifer;
    mariaisabel maribel marisa; mariajose majo marijo marijose; marialourdes marilu; marialuisa malu marilu marisa; mariamar marimar;
    mariapaula mapau; mariapaz maripaz; mariasoledad marisol; mariateresa maite marite mayte; mariano nano; martin tincho;
    martina tina; mateo teo; matias mati; mauricio mau; maximiliano max maxi; maximo maxi; melisa meli; melissa mel meli;
    mercedes meche mecha merche; micaela mica; miguel migue miki; milagros mili; monica moni; natalia nata nati naty; nicolas nico;
    norberto beto; olivia livia oli; orlando lando; osvaldo valdo; oswaldo valdo; pamela pame; paola pao; patricia pati patty paty;
    patricio pato; paula pau; pedro perico perucho; pilar pili; presentacion presen; priscila pris; purificacion puri; rafael rafa;
    raimundo mundo; ramon moncho; raymundo mundo; rebeca beca becky; refugia cuca; refugio cuca cuco; remedios reme;
    ricardo richi ricky; rigoberto beto rigo; roberto beto rober robe; rocio chio; rodolfo fito rodo; rodrigo rodri; rogelio roge;
    rolando lando rolo; rosario charo chayo; rosaura chagua; rufina fina; salvador chava salva; samanta sami; samuel samu;
    santiago chago santi tiago; sebastian seba sebas; sebastiao tiao; segismundo mundo; serafina fina; sergio checho checo;
    silvia silvi; socorro coco; sofia sofi; soledad chole sole; susana susi susy; tatiana tati; teodoro doro teo; teofilo teo;
    teresa tere; tomas tomi; trinidad trini; ursula ursu; valentin valen; valentina tina vale valen; valentino tino; valeria vale;
    veronica vero; vicente chente vicen; victoria toya vicky; viviana vivi; wilfredo willy; wilson willy; xavier xavi;
    ximena xime; yesenia yesi; yesica yesi; yolanda yola yoli; zacarias zaca"""
_ENGLISH = """abigail abby; albert bert bertie; alexander alec alex sandy; alexandra alex lexi; alfred alf alfie fred; amanda mandy;
    andrew andy drew; anthony tony; barbara babs barb; benjamin ben benny; caroline carrie; catherine cat cathy kate katie;
    charles charlie chuck; christina chris chrissy tina; christine chris chrissy; christopher chris kit topher; cynthia cindy;
    daniel dan danny; david dave davy; deborah deb debbie debby; donald donnie; dorothy dolly dot dottie; douglas doug;
    edward eddie ned ted teddy; eleanor ellie nell; elizabeth beth betsy betty liz lizzie; eugene gene; florence flo;
    frances fanny fran; francis frank; franklin frank; frederick fred; geoffrey geoff; gerald jerry; gregory greg; gwendolyn gwen;
    harold harry; henry hank harry; isabella bella izzy; jacob jake; jacqueline jackie; james jamie jim jimmy; jeffrey jeff;
    jennifer jen jenn; jessica jess jessie; john jack johnny; jonathan jon jonny; joseph joe joey; joshua josh; judith judy;
    katherine kate kathy katie kitty; kathleen kathy; kathryn kate kathy katie; kenneth ken kenny; kimberly kim; lawrence larry;
    leonard len lenny; louis lou; louise lou; madeline maddie; margaret maggie marge meg peggy; matilda tilly; matthew matt matty;
    melissa mel missy; michael mick mickey mike; mildred millie; nathan nate; nathaniel nate; nicholas nick nicky; pamela pam;
    patricia pat patty tricia trish; patrick paddy pat; penelope penny; peter pete; philip phil; phillip phil; priscilla cilla;
    raymond ray; rebecca becca becky; richard dick rich richie rick ricky; robert bob bobby rob robbie; ronald ron ronnie;
    rosemary rosie; samantha sam sammy; samuel sam sammy; sarah sadie sally; stephanie steph; stephen steve; steven steve;
    susan sue susie suzy; terence terry; theodore ted teddy theo; theresa terry tess; thomas thom tom tommy; timothy tim timmy;
    veronica ronnie; victoria tori vicky; vincent vince; virginia ginny; walter wally walt; william bill billy will willy;
    winifred winnie; zachary zac zach zack"""


def _read(text: str) -> dict[str, frozenset[str]]:
    """Short form -> the names that it stands for."""
    found: dict[str, set[str]] = {}
    for name, *short_forms in (entry.split() for entry in text.split(";")):
        for short in short_forms:
            found.setdefault(short, set()).add(name)
    return {short: frozenset(names) for short, names in found.items()}


# Short form -> the names that it stands for; all folded, two names in one word.
SHORT_NAMES: Mapping[str, frozenset[str]] = _read(f"{_SPANISH};{_ENGLISH}")
NAMES_OR_SHORT = SHORT_NAMES.keys() | frozenset().union(*SHORT_NAMES.values())


def is_short_for(one: str, other: str) -> bool:
    """Whether one of two folded words is what bearers of the other are called; two names stand in one word (`mariafernanda`)."""
    return other in SHORT_NAMES.get(one, ()) or one in SHORT_NAMES.get(other, ())
