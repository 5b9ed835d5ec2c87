-- One database per service: no service can reach into another's tables.
create database identity;
create database interactions;
create database scoring;
create database service_audit;
