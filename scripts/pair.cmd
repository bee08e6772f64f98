@echo off
rem Untried on Windows: written with care, never run there.
rem Runs both servers of a profile group on this one machine, for trying out: the secondary in a window of its own.
rem A key pressed in this window stops both, also one that was killed and started again.
rem Usage: scripts\pair.cmd [GROUP]     GROUP: a folder under profiles\ (default haprofile1).
setlocal
cd /d "%~dp0.."
set "GROUP=%~1"
if "%GROUP%"=="" set "GROUP=haprofile1"
if not exist "profiles\%GROUP%\primary\lockstep.yaml" (
  echo No profiles in profiles\%GROUP%. 1>&2
  exit /b 2
)
call scripts\lib.cmd
if errorlevel 1 exit /b 1
if not exist "runtime\%GROUP%\share" mkdir "runtime\%GROUP%\share"
start "Lockstep primary %GROUP%" node dist\cli\main.js start "profiles\%GROUP%\primary"
start "Lockstep secondary %GROUP%" node dist\cli\main.js start "profiles\%GROUP%\secondary"
echo Both servers run in windows of their own. Clients connect to the addresses that they print.
echo The share is a folder of this machine: that is for trying out. A pair that shall survive the loss of a machine needs
echo two servers, and the share on a third (docs\operations.md).
echo Press a key here to stop both.
pause >nul
node dist\cli\main.js stop "profiles\%GROUP%\secondary"
node dist\cli\main.js stop "profiles\%GROUP%\primary"
exit /b 0
