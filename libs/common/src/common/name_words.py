"""Words that names are made of, where their place alone does not say whether they are given names or surnames."""

# Given names that often stand second, so that "Ana Maria Lopez" is Ana Maria and not a Maria Lopez.
_OFTEN_SECOND = """adriana alberto alejandra alejandro alexander alfonso alfredo alicia amparo ana andrea andres angel angela angeles
    angelica antonia antonio aparecida armando arturo asuncion augusta augusto beatriz benjamin camila camilo carlos
    carmen carolina catalina cecilia cesar clara claudia concepcion consuelo cristina daniel daniela david diana diego
    dolores edith eduarda eduardo elena elisa elizabeth elsa elvira emilia emiliano emilio enrique ernesto esperanza
    esteban esther eugenia eugenio fabian fatima felipe fernanda fernando francisca francisco gabriel gabriela german
    gloria guadalupe guillermo gustavo helena henrique hernan hernando hugo humberto ignacio iker inaki ines irma
    isabel ivan jaime javier jesus jimena joana joao joaquina johana jorge jose josefa josefina juan juana julia
    julian juliana julio laura leonardo leonor leticia liliana lorena lucia luis luisa luiz luiza luz magdalena
    manuel manuela marcela marcelo marco margarita maria mariana mario marta martha mateo mauricio maximiliano
    mercedes miguel milagros milena miriam monica natalia nathalia nayeli nicolas nieves noemi nubia olga orlando
    oscar pablo paola patricia paula paulo pedro pilar rafael ramiro raquel raul refugio remedios ricardo roberto
    rocio rodrigo rosa rosario ruben samuel sandra santiago sara sebastian sergio silvia socorro sofia soledad stella
    susana teresa tomas ursula valentina valeria vanessa veronica vicente victor victoria vinicius vitor
    vitoria viviana ximena yadira yamile yaneth yohana yolanda"""
SECOND_GIVEN = frozenset(_OFTEN_SECOND.split())

_OFTEN_FIRST = """abel abelardo abraham adalberto adela adolfo adrian agustin aida alba albeiro aldemar alexandra
    alexis alfonsina aline alirio alvaro amalia amanda amelia anderson angelo anibal antonella araceli argemiro ariel
    arley arnulfo astrid aura aurelio aurora axel ayelen azucena belen bernabe bernardo bertha bladimir blanca brandon
    braulio brayan caio candelaria carlota carmenza catherine cayetano celso cielo ciro citlali clemencia constanza
    cristian cristobal cuauhtemoc dagoberto damaris damian danilo dario darwin dayana deisy delfin delfina delia
    deyanira deysi dina doris dulce edgar edgardo edilberto edilma edison edna edwin efrain efren eliana elias eliecer
    elkin elmer elvia emerson emma enzo erick erika esmeralda estefania estela ester eva evaristo evelio evelyn
    ezequiel fabio fabiola facundo federico felix fidel flavio flor florencia freddy gael gaston gerardo gerson
    gilberto gildardo gilma gina giovanni gisela gladys gonzalo graciela gregorio hector heidy henry heriberto hermes
    hilario hilda horacio imelda ingrid irene iris isaac isabela isaias isidro ismael itzel ivone ivonne jacinta
    jacqueline jair jairo janeth jazmin jeferson jenny jessica jhon joaquin joel johan john jonatan jonathan jorgelina
    josue judith juvenal karen karina karla katherine kenia kevin lautaro leandro leidy leonel leydi libardo libia
    lidia ligia lilia lina linda lorenzo lourdes lucero luciana luciano lucila mabel macarena magda magnolia maicol
    marcia marcos maricela mariela marina maritza marlene marlon martina mateus matias matilde mauro maximo melba
    melchor melissa micaela milton mireya mirian mirta misael moises nahuel nancy nelly nelson nestor nidia nilda
    nilson noe noelia nohora nora norberto norma octavio ofelia omaira omar osvaldo ovidio pamela patricio paulina
    percy perla petrona piedad priscila rafaela ramon rebeca reinaldo reinel renata renato rene rigoberto rita
    robinson rodolfo rolando romina rosalba rosalia rosalinda rosaura rubiela ruth sabrina salvador saul selene sheyla
    shirley sixto sonia soraya tamara tania tatiana teodora thiago tobias tulia tulio ulises uriel vilma virginia
    vladimir wagner walter wanda wellington wilber wilfredo william wilma wilmer wilson xiomara xochitl yamid yamila
    yasmin yeison yenny yesenia yesica yesid yineth yolima yolotl yuliana zacarias zoraida zully zulma"""
GIVEN = SECOND_GIVEN | frozenset(_OFTEN_FIRST.split())

# Surnames that hardly anybody bears as a given name: in front of given names they were written first.
_SURNAMES = """acevedo acosta acuna agudelo aguero aguilar aguilera aguirre ahumada alarcon alcantara almeida alvarado alvarez
    alvear alves alzate amaya anaya andrade angarita angulo apaza aranda arango araujo aravena araya arboleda arce
    ardila arellano arenas arevalo arias ariza armijos arrieta arroyo arteaga avalos avila ayala aymar azevedo baez
    bahamondes ballesteros barajas barbosa barragan barrera barreto barrios barros bastidas batista bautista becerra
    becerril bedoya bejarano beltran benavides benitez bermudez bernal betancur bianchi blanco bohorquez bolanos
    bonilla borges botero bravo buitrago burbano burgos bustamante bustos caballero cabral cabrera caceres caicedo
    calderon calvo camacho camargo campos campuzano canales cano cantillo cantu caraballo carbajal cardenas cardona
    cardoso cardozo carmona carpio carranza carrasco carrillo carrizo carvajal carvalho castaneda castano castellanos
    castillo castrillon castro cavalcante cavalcanti cazares ceballos cedeno cerda ceron cervantes cespedes chacon
    chambi chaparro chavez chicaiza choque cifuentes cisneros colque conceicao condori contreras cordoba coronado
    coronel correa corredor correia cortes crespo cuadros cuellar cuesta cuevas cunha cusi davila daza delgadillo
    delgado dias diaz dominguez duarte duque duran echeverri enriquez erazo escalante escamilla escobar escobedo
    espinal espinosa espinoza espitia esposito esquivel estrada etxeberria fajardo farias fernandes fernandez ferrari
    ferreira ferrer ferreyra ferro figueiredo figueroa flores florez fonseca forero franco freire freitas fuentes
    gaitan galeano galindo gallardo gallego galvan galvis gamboa garay garces garcia garrido garzon gaviria gil
    gimenez giraldo godinez godoy goikoetxea gomes gomez goncalves gonsalves gonzales gonzalez granados granda guaman
    guamani guerrero guevara guimaraes gutierrez guzman henao henriquez heredia hernandez herrera hidalgo hinojosa
    hoyos huaman huamani huanca huerta hurtado ibanez ibarra iglesias intriago jaimes jaramillo jauregui jimenez
    juarez lara ledesma leiva lemos limachi llerena loaiza londono lopes lopez lorente lozano luque machado macias
    magallanes magana maldonado mamani manrique mantilla marin marques marquez marroquin martinez martins mattos
    medina mejia melgar melo mendes mendez mendoza meneses mercado merino mesa meza mireles molano molina monroy
    monsalve monteiro montenegro montero montes montiel montoya mora moraes morais morales moran moreira moreno
    mosquera moura moya mujica munera munoz murcia murillo naranjo narvaez nascimento nava navarro nieto nino nunes
    nunez obando ocampo ocana ochoa ojeda olaya olivares oliveira olivera olvera ordonez orellana orjuela oropeza
    orozco ortega ortiz osorio ospina ospino oviedo pabon pacheco padilla paez palacio palacios palomino pardo paredes
    pari parra patino pedraza pena peralta perdomo perea pereira pereyra perez pineda pinheiro pinto pinzon pizarro
    poblete ponce portilla portillo posada prada prieto puentes puig pulido quezada quiceno quilla quinones quintana
    quintero quiroga quiroz quishpe quispe ramirez ramos rangel rendon rengifo renteria resendiz restrepo riascos
    ribeiro rico rincon rios riquelme rivadeneira rivas rivera rivero roa robledo robles rocha rodrigues rodriguez
    rojas roldan romero rosales rosero ruano rubio rueda ruiz saavedra saenz salamanca salas salazar salcedo saldana
    salgado salinas samaniego sanabria sanchez sandoval santamaria santana santillan sanz sarmiento segovia segura
    sepulveda serna serrano sierra silva siqueira soares solano solis sosa soto sousa souza suarez tamayo tapia
    tavares teixeira tejada tejeda tellez tenorio ticona tipan toapanta toledo toro torres tovar trejo triana troncoso
    trujillo ulloa urbina uribe urrego urrutia usuga valderrama valdes valdez valdivia valenzuela vallejo vallejos
    varela vargas vasquez vazquez vega velandia velasco velasquez velazquez velez vera vergara vieira vilca villa
    villalba villalobos villamil villamizar villanueva villarreal villegas vizcarra yanez yepes yupanqui zambrano
    zamora zamorano zapata zarate zavala zuluaga zuniga"""
SURNAMES = frozenset(_SURNAMES.split()) - GIVEN
# Some bear them as given names all the same: Franco Rossi, Vera Lúcia. Before a known given name alone they are surnames.
SURNAMES_OF_SOME = frozenset({"franco", "lara", "marin", "vera"})
