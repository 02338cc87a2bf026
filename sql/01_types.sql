\echo Use "CREATE EXTENSION pg_nudge" to load this file. \quit
