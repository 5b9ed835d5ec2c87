"""Words that names are made of, where their place alone does not say whether they are given names or surnames."""

# Given names that often stand second, so that "Ana Maria Lopez" is Ana Maria and not a Maria Lopez.
_OFTEN_SECOND = """adriana alberto alejandra alejandro alexander alfonso alfredo alicia amparo ana andrea andres angel angela angelica
    antonia antonio armando arturo beatriz camila camilo carlos carmen carolina catalina cecilia cesar clara claudia
    consuelo cristina daniel daniela david diana diego eduardo elena elizabeth elsa emilio enrique ernesto esperanza
    esteban esther eugenia eugenio fabian felipe fernanda fernando francisca francisco gabriel gabriela german gloria
    guillermo gustavo hernan hernando hugo humberto ignacio ines isabel ivan jaime javier jesus jorge jose juan juana
    julia julian juliana julio laura leonardo leonor liliana lorena lucia luis luisa luz manuel manuela marcela marco
    margarita maria mariana mario marta martha mateo mauricio mercedes miguel milena miriam monica natalia nicolas nubia
    olga orlando oscar pablo paola patricia paula pedro pilar rafael ramiro raul ricardo roberto rocio rodrigo rosa
    rosario ruben samuel sandra santiago sara sebastian sergio silvia sofia stella susana teresa tomas valentina
    valeria vanessa veronica vicente victor victoria viviana ximena yolanda"""
SECOND_GIVEN = frozenset(_OFTEN_SECOND.split())

_OFTEN_FIRST = """alvaro blanca brayan carlota cristian dario deisy deysi edgar edison edwin elkin emma erika estefania estela
    fabio felix flor freddy gerardo gilberto giovanni gladys gonzalo gregorio hector helena henry irene isabela jairo jenny
    jessica jhon joaquin johan john jonathan karen karina katherine kevin leidy leydi lina ligia lourdes luciana lucila
    luisa magda maritza marlene mauro melissa nancy nelson nestor nora norma omar paulina ramon rebeca reinaldo rosalba
    ruth salvador sonia tatiana walter william wilmer wilson xiomara yeison yenny yesenia yuliana zoraida"""
GIVEN = SECOND_GIVEN | frozenset(_OFTEN_FIRST.split())

# Surnames that hardly anybody bears as a given name: in front of given names they were written first.
_SURNAMES = """acevedo acosta agudelo aguilar aguirre alvarado alvarez alzate aranda arango arias arroyo avila ballesteros barrera
    becerra bedoya benavides benitez bermudez bernal betancur blanco bonilla botero buitrago bustamante caceres caicedo
    calderon camacho campos cano cardenas cardona carrillo carvajal castaneda castano castellanos castillo castro cespedes
    chavez cifuentes contreras cordoba correa cortes cuellar delgado diaz dominguez duque duran echeverri escobar espinosa
    estrada fajardo fernandez figueroa flores florez fonseca forero franco fuentes galindo gallego galvis garces garcia
    garzon gaviria gil giraldo gomez gonzales gonzalez granados guerrero gutierrez guzman henao hernandez herrera hidalgo
    hoyos hurtado ibanez jaramillo jimenez lara londono lopez lozano macias maldonado marin marquez martinez mejia melo
    mendez mendoza mesa meza molina monsalve montes montoya mora morales moreno mosquera munera munoz murillo naranjo
    narvaez navarro nieto nunez ocampo ochoa ordonez orozco ortega ortiz osorio ospina pabon pacheco padilla palacio palacios
    pardo parra patino pena peralta perea perez pineda pinto pinzon posada prieto pulido quiceno quintero quiroga ramirez
    ramos rendon restrepo rico rincon rios rivas rivera roa robledo rodriguez rojas roldan romero rosero rubio rueda ruiz
    saavedra salamanca salas salazar salcedo salgado salinas sanabria sanchez sandoval sarmiento sepulveda serna serrano
    sierra silva solano solis sosa soto suarez tellez toro torres tovar trujillo uribe urrego usuga valderrama vallejo varela
    vargas vasquez vega velasco velasquez velez vera villa villamil villegas zambrano zapata zuluaga zuniga"""
SURNAMES = frozenset(_SURNAMES.split()) - GIVEN
