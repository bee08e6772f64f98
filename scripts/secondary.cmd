@echo off
rem Untried on Windows: written with care, never run there.
rem Runs the secondary server of a profile group in this window. Ctrl-C stops it.
rem Usage: scripts\secondary.cmd [GROUP]     GROUP: a folder under profiles\ (default haprofile1).
setlocal
cd /d "%~dp0.."
set "GROUP=%~1"
if "%GROUP%"=="" set "GROUP=haprofile1"
if not exist "profiles\%GROUP%\secondary\lockstep.yaml" (
  echo No profile in profiles\%GROUP%\secondary. 1>&2
  exit /b 2
)
call scripts\lib.cmd
if errorlevel 1 exit /b 1
if not exist "runtime\%GROUP%\share" mkdir "runtime\%GROUP%\share"
node dist\cli\main.js start "profiles\%GROUP%\secondary"
exit /b %errorlevel%
