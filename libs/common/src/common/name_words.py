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

_OFTEN_FIRST = """adolfo agustin alfonsina aline alvaro anderson angelo antonella araceli arnulfo axel ayelen azucena belen
    bernabe bernardo blanca braulio brayan caio carlota cayetano celso citlali cristian cristobal
    cuauhtemoc dario deisy delfin delfina deysi dulce edgar edison edwin efrain eliana elias elkin elmer emma enzo
    erick erika estefania estela evaristo evelyn ezequiel fabio facundo felix flavio flor florencia freddy gael gaston
    gerardo gerson gilberto gina giovanni gisela gladys gonzalo graciela gregorio hector henry heriberto hilario hilda
    horacio imelda irene isabela itzel ivone jacinta jairo janeth jeferson jenny jessica jhon joaquin joel
    johan john jonathan jorgelina josue juvenal karen karina karla katherine kenia kevin lautaro leandro leidy leonel
    leydi lidia ligia lina lourdes lucero luciana luciano lucila macarena magda maicol marcia marcos maritza
    marlene martina mateus matias mauro maximo melchor melissa micaela mirian mirta moises nahuel nancy nelson nestor
    nilda noe noelia nora norma octavio ofelia omar osvaldo pamela paulina percy perla petrona priscila
    rafaela ramon rebeca reinaldo renata renato rene rigoberto rodolfo rolando romina rosalba rosalia rosalinda
    ruth sabrina salvador saul selene sheyla sixto sonia soraya tamara tatiana teodora thiago tobias
    ulises uriel wagner walter wanda wellington wilber wilfredo william wilma wilmer wilson xiomara
    xochitl yamila yeison yenny yesenia yesica yolotl yuliana zacarias zoraida zully zulma"""
GIVEN = SECOND_GIVEN | frozenset(_OFTEN_FIRST.split())

# Surnames that hardly anybody bears as a given name: in front of given names they were written first.
_SURNAMES = """acevedo acosta acuna agudelo aguero aguilar aguilera aguirre ahumada alarcon alcantara almeida alvarado alvarez alvear
    alves alzate andrade apaza aranda arango araujo aravena araya arce arellano arevalo arias armijos arroyo arteaga
    avalos avila ayala aymar azevedo baez bahamondes ballesteros barajas barbosa barragan barrera barreto barrios
    barros becerra becerril bedoya benavides benitez bermudez bernal betancur blanco bonilla borges botero bravo
    buitrago bustamante bustos caballero cabral cabrera caceres caicedo calderon calvo camacho campos campuzano
    canales cano cantu caraballo carbajal cardenas cardona cardoso carpio carranza carrasco carrillo carvajal carvalho
    castaneda castano castellanos castillo castro cavalcante cavalcanti cazares cedeno cerda cervantes cespedes chambi
    chavez chicaiza choque cifuentes cisneros colque condori contreras cordoba coronado coronel correa correia cortes
    crespo cuadros cuellar cuevas cunha cusi davila delgadillo delgado dias diaz dominguez duque duran echeverri
    enriquez escalante escamilla escobar escobedo espinal espinosa espinoza esquivel estrada etxeberria fajardo farias
    fernandes fernandez ferrari ferreira ferrer ferreyra ferro figueiredo figueroa flores florez fonseca forero franco
    freire freitas fuentes galindo gallardo gallego galvan galvis gamboa garay garces garcia garrido garzon gaviria
    gil gimenez giraldo godinez godoy goikoetxea gomes gomez goncalves gonsalves gonzales gonzalez granados granda
    guaman guamani guerrero guimaraes gutierrez guzman henao henriquez heredia hernandez herrera hidalgo hinojosa
    hoyos huaman huamani huanca huerta hurtado ibanez ibarra iglesias intriago jaimes jaramillo jauregui jimenez
    juarez lara ledesma leiva lemos limachi llerena londono lopes lopez lorente lozano luque machado macias magallanes
    magana maldonado mamani manrique marin marques marquez marroquin martinez mattos mejia melgar melo mendes mendez
    mendoza meneses mercado merino mesa meza mireles molina monroy monsalve monteiro montenegro montero montes montiel
    montoya mora moraes morais morales moran moreira moreno mosquera moya mujica munera munoz murillo naranjo narvaez
    nascimento nava navarro nieto nunes nunez ocampo ocana ochoa ojeda olivares oliveira olivera olvera ordonez
    orellana oropeza orozco ortega ortiz osorio ospina pabon pacheco padilla palacio palacios palomino pardo paredes
    pari parra patino pena peralta perea pereira pereyra perez pineda pinheiro pinto pinzon pizarro poblete ponce
    portillo posada prieto puig pulido quezada quiceno quilla quinones quintana quintero quiroga quiroz quishpe quispe
    ramirez ramos rendon resendiz restrepo rico rincon rios riquelme rivadeneira rivas rivera rivero roa robledo
    robles rocha rodrigues rodriguez rojas roldan romero rosales rosero ruano rubio rueda ruiz saavedra saenz
    salamanca salas salazar salcedo saldana salgado salinas samaniego sanabria sanchez sandoval santamaria santillan
    sarmiento segovia segura sepulveda serna serrano sierra silva siqueira solano solis sosa soto sousa souza suarez
    tamayo tapia tavares teixeira tejada tejeda tellez tenorio ticona tipan toapanta toledo toro torres tovar trejo
    troncoso trujillo ulloa urbina uribe urrego urrutia usuga valderrama valdes valdez valdivia valenzuela vallejo
    vallejos varela vargas vasquez vazquez vega velasco velasquez velez vera vergara vieira vilca villa villalba
    villalobos villamil villanueva villarreal villegas vizcarra yanez yupanqui zambrano zamora zamorano zapata zarate
    zavala zuluaga zuniga"""
SURNAMES = frozenset(_SURNAMES.split()) - GIVEN
# Some bear them as given names all the same: Franco Rossi, Vera Lúcia. Before a known given name alone they are surnames.
SURNAMES_OF_SOME = frozenset({"franco", "lara", "marin", "vera"})
