#compdef gatesh

_gatesh_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _GATESH_COMPLETE=complete_zsh gatesh)
}

compdef _gatesh_completion gatesh
